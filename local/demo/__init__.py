"""`make demo`: a term's worth of realistic students in the database of the running stack.

`load_term` fills any database with the project's migrations; the benchmarks use it for a million students.
"""

from local.demo.term import Term, load_term, violations

__all__ = ["Term", "load_term", "violations"]
