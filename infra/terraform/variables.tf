# What whoever applies this says. Everything else that tells the stages apart is in ../stages.json.

variable "stage" {
  description = "Which stage: dev, staging or production."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "production"], var.stage)
    error_message = "There is no such stage: say dev, staging or production."
  }
}

variable "account" {
  description = "The AWS account of this stage. With credentials of another one nothing is planned."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "An AWS account is a number of twelve digits."
  }
}

variable "first_time" {
  description = "Whether the database is not there yet, and is to be given the master's first password."
  type        = bool
  default     = false
}

variable "zone_letters" {
  description = "The region's zones by their last letter. Some accounts lack one: leave it out here."
  type        = list(string)
  default     = ["a", "b", "c"]
}
