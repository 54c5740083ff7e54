variable "name" {
  description = "What everything is called after: vigil-STAGE."
  type        = string
}

variable "region" {
  description = "The region's name."
  type        = string
}

variable "account" {
  description = "The account whose own identities may use the endpoints."
  type        = string
}

variable "zones" {
  description = "The zones, in the order of the subnets."
  type        = list(string)
}

variable "cidr" {
  description = "The VPC's addresses, a /16."
  type        = string
}

variable "endpoint_zones" {
  description = "In how many of the zones each endpoint has an address. Each one costs by the hour."
  type        = number
}

variable "key" {
  description = "ARN of the key that encrypts the flow logs."
  type        = string
}
