"""What goes wrong, in a sentence a person can act on."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and, where known, what helps."""


class PortTaken(LabError):
    """Another process took a port between choosing and binding it. Choosing again helps."""
