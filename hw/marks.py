"""What travels with a sample through every stage: the marks that say where frames and packets begin and end."""

from amaranth.lib import data

MARKS = data.StructLayout(
    {
        "sample": 1,  # there is a sample, and it belongs to a stored packet
        "restart": 1,  # the sample's channel restarts its state: first frame of a key packet
        "abort": 1,  # the packet that is being stored is discarded
        "open": 1,  # then: a stored packet begins with this frame
        "key": 1,  # with `open`: it is a key packet
        "frame": 1,  # then: one frame time begins, stored or not
        "close": 1,  # then, after the sample: the stored packet ends
    }
)
