"""One client per outside service; the only code that talks to one."""
