"""What a check found, as a page of pictures: one HTML file that needs nothing beside itself."""

from edgefactory.pipelines.checkpage.page import write_page

__all__ = ["write_page"]
