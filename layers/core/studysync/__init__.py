"""StudySync: the code that the domains share."""

from studysync.aws import cold_start

cold_start.begin()
