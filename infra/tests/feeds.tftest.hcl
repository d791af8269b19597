run "feeds_with_their_defaults" {
  command = plan

  module {
    source = "./modules/feeds"
  }

  variables {
    folder = "tests/feeds/good"
  }

  assert {
    condition     = output.feeds["orders"].memory == 2048 && output.feeds["orders"].timeout == 3600
    error_message = "What a feed leaves out, the file of defaults says."
  }
}

run "refuses_what_the_dags_refuse" {
  command = plan

  module {
    source = "./modules/feeds"
  }

  variables {
    folder = "tests/feeds/refused"
  }

  expect_failures = [output.feeds]
}

run "refuses_prefixes_that_overlap" {
  command = plan

  module {
    source = "./modules/feeds"
  }

  variables {
    folder = "tests/feeds/overlap"
  }

  expect_failures = [output.feeds]
}

run "refuses_what_is_no_feed_file" {
  command = plan

  module {
    source = "./modules/feeds"
  }

  variables {
    folder = "tests/feeds/stray"
  }

  expect_failures = [output.feeds]
}

run "refuses_a_folder_without_feeds" {
  command = plan

  module {
    source = "./modules/feeds"
  }

  variables {
    folder = "tests/feeds/none"
  }

  expect_failures = [var.folder]
}
