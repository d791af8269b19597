"""What a container would see."""

from pathlib import Path

from filebatch_local.batch.images import (
    ImageEnv,
    batch_variables,
    images_from_json,
    images_to_json,
    mounts,
    on_this_disk,
)


def test_only_a_child_has_an_index():
    assert "AWS_BATCH_JOB_ARRAY_INDEX" not in batch_variables("j", None, 1, "q", "c")
    assert batch_variables("j:0", 0, 1, "q", "c")["AWS_BATCH_JOB_ARRAY_INDEX"] == "0"


def test_a_mount_points_path_is_a_folder_of_the_jobs_own():
    mounted = mounts([{"containerPath": "/scratch", "sourceVolume": "disk"}], Path("/job"))
    assert on_this_disk("/scratch", mounted) == "/job/mounts/disk"
    assert on_this_disk("/scratch/a b", mounted) == "/job/mounts/disk/a b"
    assert on_this_disk("/scratches", mounted) == "/scratches"


def test_images_survive_json():
    images = {"a:1": ImageEnv(("/bin", "/usr/bin"), {"X": "1"}), "b": ImageEnv(("/bin",))}
    assert images_from_json(images_to_json(images)) == images
