"""Running steps on Celery workers: the executor of runs, and the app of workers."""

QUEUE_TAG = "dagster-celery/queue"  # the tag of a step by which dagster-celery chooses its queue
