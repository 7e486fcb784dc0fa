"""The console: the page in which people read and answer their conversations.

Files for a browser (`files/`) and the little that has to be known to serve them. It imports nothing of the
rest: what it shows comes over the public HTTP API, like for every other client.
"""

from console.site import LANGUAGES, Asset, Site, read_site

__all__ = ["LANGUAGES", "Asset", "Site", "read_site"]
