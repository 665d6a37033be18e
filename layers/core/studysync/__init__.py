"""StudySync: the code that the domains share."""

from studysync import startup

startup.begin()
