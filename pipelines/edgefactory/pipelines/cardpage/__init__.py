"""The model card as a page of pictures: one HTML file that needs nothing beside itself."""

from edgefactory.pipelines.cardpage.page import make_page

__all__ = ["make_page"]
