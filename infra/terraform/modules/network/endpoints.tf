# The doors to AWS's services. Who needs which is said beside each: one that nobody needs costs by
# the hour, and a missing one shows as a call that hangs. Not here, since nobody inside calls them:
# lambda, events, apigateway, cloudfront (deploying is done from outside), kms (S3, SQS and Secrets
# Manager ask it themselves), monitoring (metrics are lines of the log), sts (roles come without it).

locals {
  interfaces = {
    "secretsmanager" = { actions = "secretsmanager", for = "functions, worker: passwords and the application's secrets; rotation of the master's" }
    "ssm"            = { actions = "ssm", for = "functions, worker: what the layers hand over, read at the start" }
    "sqs"            = { actions = "sqs", for = "functions: putting tasks; worker: taking them" }
    "rds"            = { actions = "rds", for = "worker: the nightly snapshot, and its age on the status page" }
    "logs"           = { actions = "logs", for = "worker: its lines. The functions' are written by Lambda's service" }
    "ecr.api"        = { actions = "ecr", for = "worker: its image" }
    "ecr.dkr"        = { actions = "ecr", for = "worker: its image, whose layers come from S3" }
    "ssmmessages"    = { actions = "ssmmessages", for = "operators: a shell in the worker, and a tunnel to the database through it" }
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interfaces

  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = slice(aws_subnet.private[*].id, 0, var.endpoint_zones)
  security_group_ids  = [aws_security_group.endpoints.id]
  private_dns_enabled = true
  policy              = data.aws_iam_policy_document.own_identities[each.value.actions].json

  tags = { Name = "${var.name}-${each.key}" }
}

# Everybody: feeds, backups, seals, and the layers of the worker's image.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
  policy            = data.aws_iam_policy_document.s3.json

  tags = { Name = "${var.name}-s3" }
}

# A thief's credentials, used in here, must not carry data into his account. What this account's own
# identities may do stands in their roles.
data "aws_iam_policy_document" "own_identities" {
  # checkov:skip=CKV_AWS_107:A door, which opens to this account's identities alone; their roles say what each may do
  # checkov:skip=CKV_AWS_108:A door, which opens to this account's identities alone; their roles say what each may do
  # checkov:skip=CKV_AWS_109:A door, which opens to this account's identities alone; their roles say what each may do
  # checkov:skip=CKV_AWS_111:A door, which opens to this account's identities alone; their roles say what each may do
  # checkov:skip=CKV_AWS_283:A door, which opens to this account's identities alone, by its condition
  # checkov:skip=CKV_AWS_356:A door, which opens to this account's identities alone; their roles say what each may do
  for_each = toset(concat(values(local.interfaces)[*].actions, ["s3"]))

  statement {
    sid       = "ThisAccountsIdentities"
    actions   = ["${each.key}:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [var.account]
    }
  }
}

data "aws_iam_policy_document" "s3" {
  # checkov:skip=CKV_AWS_283:The bucket of the images' layers is AWS's own; ECR signs for each read of it
  source_policy_documents = [data.aws_iam_policy_document.own_identities["s3"].json]

  statement {
    sid       = "LayersOfImages"
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::prod-${var.region}-starport-layer-bucket/*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}
