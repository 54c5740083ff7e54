# Which Terraform and which provider. 1.11 is the first that keeps write-only arguments out of the
# state, and locks the state in S3 without a table of its own.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Bucket, key and region are named at `init`, by scripts/terraform.py: one state for each stage.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
