"""Routes below ``/v1/`` that the portal answers. The gateway passes them on."""

from django.urls import path

from portal.api import jobs
from tenants.rls import own_transactions

urlpatterns = [
    path("files", own_transactions(jobs.FilesView.as_view()), name="v1_files"),
    path("files/<slug:public_id>", own_transactions(jobs.FileView.as_view()), name="v1_file"),
    path(
        "files/<slug:public_id>/content",
        own_transactions(jobs.ContentView.as_view()),
        name="v1_file_content",
    ),
    path("batches", own_transactions(jobs.BatchesView.as_view()), name="v1_batches"),
    path("batches/<slug:public_id>", own_transactions(jobs.BatchView.as_view()), name="v1_batch"),
    path(
        "batches/<slug:public_id>/cancel",
        own_transactions(jobs.CancelView.as_view()),
        name="v1_batch_cancel",
    ),
]
