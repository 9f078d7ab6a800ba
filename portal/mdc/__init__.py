"""An embedded site: real small engines, pretended cards. Always says that it is simulated."""
