"""Display of objects in a notebook: the page of a run in a frame of its own.

A frame, so that neither side's styles touch the other's. Its policy is that of the page: no
network, no script but its own.
"""

from markupsafe import escape

_HEIGHT = 520


def framed(page: str, title: str) -> str:
    """HTML of a frame that holds a page.

    Args:
        page: A whole one.
        title: Title for screen readers.
    """
    return (
        f'<iframe title="{escape(title)}" sandbox="allow-scripts" srcdoc="{escape(page)}" '
        f'style="width:100%;height:{_HEIGHT}px;border:1px solid #8888;border-radius:8px"></iframe>'
    )
