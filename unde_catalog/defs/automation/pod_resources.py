"""What Kubernetes reserves for a run: the tag that Dagster's K8sRunLauncher reads, from the stages of the run.

The steps of a run are processes of its pod.
"""

import json
from collections.abc import Iterable, Mapping

from unde_catalog.stage_specs import STAGE_SPECS

TAG = "dagster-k8s/config"
_RUN_MB = 768  # the run's own process, and the one in which a step loads the definitions


def pod_tags(stages: Iterable[str] | None) -> Mapping[str, str]:
    """The tag for a run of these stages; of one that may have any stage if None. Unknown names are no stages."""
    specs = [STAGE_SPECS[name] for name in (STAGE_SPECS if stages is None else stages) if name in STAGE_SPECS]
    memory = _RUN_MB + max((spec.memory_mb for spec in specs), default=0)
    cpus = max((spec.cpus for spec in specs), default=1)
    resources = {
        "requests": {"cpu": str(cpus), "memory": f"{memory}Mi"},
        "limits": {"memory": f"{memory}Mi"},  # none of the CPU: an idle node's is free
    }
    return {TAG: json.dumps({"container_config": {"resources": resources}})}
