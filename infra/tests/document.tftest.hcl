# Text that tries to be more than text: whatever it holds, it is the value of its own field and nothing else changes.

run "a_prefix_stays_a_prefix" {
  command = plan

  module {
    source = "./modules/document"
  }

  variables {
    name = "event-pattern"
    text = {
      plain   = { bucket = "files", prefix = "orders/" }
      hostile = { bucket = "files", prefix = "orders/\"},{\"prefix\":\"/" }
      odd     = { bucket = "files", prefix = "<&>\\\\\t\"$${bucket}%%{ if true }ä\"" }
    }
  }

  assert {
    condition     = output.rendered["plain"].detail.object.key == [{ prefix = "orders/" }]
    error_message = "Plain text is as it was."
  }

  assert {
    condition     = output.rendered["hostile"].detail.object.key == [{ prefix = "orders/\"},{\"prefix\":\"/" }]
    error_message = "A quote in a prefix widens nothing."
  }

  assert {
    condition     = output.rendered["odd"].detail.object.key == [{ prefix = "<&>\\\\\t\"$${bucket}%%{ if true }ä\"" }]
    error_message = "Whatever the text holds, it comes out as it went in."
  }
}

run "an_image_stays_an_image" {
  command = plan

  module {
    source = "./modules/document"
  }

  variables {
    name = "job-definition"

    text = {
      hostile = {
        image = "busybox\",\"jobRoleArn\":\"arn:aws:iam::123456789012:role/admin\",\"command\":[\"sh\"],\"privileged\":true,\"x\":\""

        feed           = "orders", region = "eu-west-1", namespace = "filebatch", vcpu = 1, memory = 2048
        ledger         = "ledger", results_bucket = "results", log_group = "jobs"
        job_role       = "arn:aws:iam::123456789012:role/job"
        execution_role = "arn:aws:iam::123456789012:role/execution"
        scratch_uid    = "1000", architecture = "X86_64", dimensions = ""
      }
    }

    json = { hostile = { disk = 21, timeout = 60, evaluate_on_exit = "[]" } }
  }

  assert {
    condition = (
      startswith(output.rendered["hostile"].containerProperties.image, "busybox\",")
      && output.rendered["hostile"].containerProperties.jobRoleArn == "arn:aws:iam::123456789012:role/job"
      && output.rendered["hostile"].containerProperties.command == ["python", "-m", "filebatch_worker"]
      && !can(output.rendered["hostile"].containerProperties.privileged)
    )
    error_message = "A quote in an image's name gives the container no other role, command or privilege."
  }
}
