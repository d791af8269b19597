"""What may go wrong in a simulation, as the code sees it: whatever else is raised is a fault of the code or ours."""

from botocore.exceptions import BotoCoreError, ClientError

from filebatch.core.errors import FilebatchError

EXPECTED = (BotoCoreError, ClientError, FilebatchError, OSError)
