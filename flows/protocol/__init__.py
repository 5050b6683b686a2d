"""The protocols of a submission, in the order of its life: `claiming`, `posting`, `adoption` (if its answer is lost),
`settlement`, `closing`. `active` reads who is who, `vanished` guards against a share that is not mounted.

The flows of the folder above call them; nothing here is a flow.
"""
