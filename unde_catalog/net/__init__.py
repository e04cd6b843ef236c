"""DownloadPolicy: how we talk to other people's servers."""
