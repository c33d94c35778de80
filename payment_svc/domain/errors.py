"""The one thing that must never be taken for an answer."""


class Contradiction(Exception):
    """The provider says what cannot be: another amount than was asked for, a paid intent that is unpaid again.

    Nothing is concluded from it. It is a defect, of ours or of theirs, and has to be seen by a person.
    """
