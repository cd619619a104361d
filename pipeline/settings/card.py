"""The section `card` of a settings file: free text of the model card, in the words of its makers.

What the store knows (data, metrics, slices, limits) is not written here: docs/report.md. Called by
pipeline.settings.settings. Imports no TFX and no TensorFlow.
"""

from typing import Annotated

from pydantic import Field

from pipeline.settings.values import Section

Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class Card(Section):
    """Free text; what is null is left out of the card."""

    title: Text | None = None
    owner: Text | None = None
    intended_use: Text | None = None
    out_of_scope: Text | None = None
    data: Text | None = None
    considerations: Text | None = None
    license: Text | None = None
