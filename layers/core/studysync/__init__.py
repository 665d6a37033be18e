"""StudySync: the code that the domains share."""
