"""What AWS refuses, whichever AWS it is."""

import pytest
from botocore.exceptions import ClientError

from filebatch.core.aws_errors import code


def refused(call, **request) -> str:
    """Return the code with which AWS refuses a call."""
    with pytest.raises(ClientError) as found:
        call(**request)
    return code(found.value)
