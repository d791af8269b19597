"""`make aws-smoke`: a small environment in an account, three files through it, and all of it gone again."""
