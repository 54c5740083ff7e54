variable "name" {
  description = "What everything is called after: vigil-STAGE."
  type        = string
}

variable "stage" {
  description = "The stage, as names of secrets have it."
  type        = string
}

variable "account" {
  description = "The account, for what says who may assume a role."
  type        = string
}

variable "settings" {
  description = "The section `database` of the stage in ../../../stages.json."
  type = object({
    class               = string
    storage_gib         = number
    largest_storage_gib = number
    multi_az            = bool
    replicas            = number
    backup_days         = number
    protected           = bool
  })
}

variable "first_time" {
  description = "Whether the instance is to be given the master's first password."
  type        = bool
}

variable "subnets" {
  description = "Subnets of the database, in two zones at least."
  type        = list(string)
}

variable "security_group" {
  description = "Of the database."
  type        = string
}

variable "rotation" {
  description = "Where the function that rotates the master's password runs."
  type = object({
    subnets        = list(string)
    security_group = string
  })
}

variable "key" {
  description = "ARN of the key for disk, snapshots, insights, logs and secrets."
  type        = string
}
