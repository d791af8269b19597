"""`make audit`: is any file lost, done twice, or not what the ledger says?"""
