"""What a trial is, as data: arms, visits and windows, settings."""

from corelab.study.model import ArmDefinition, Study, Visit, builtin_study, parse_study, read_study

__all__ = ["ArmDefinition", "Study", "Visit", "builtin_study", "parse_study", "read_study"]
