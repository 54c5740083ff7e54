# Into which account and region, and what everything is marked with.

provider "aws" {
  region = local.settings.region
  # Credentials of another stage's account would otherwise build this stage there.
  allowed_account_ids = [var.account]

  default_tags {
    tags = {
      application = "vigil"
      stage       = var.stage
      layer       = "terraform"
    }
  }
}
