# Where the server's log goes, and what watches its machine.

resource "aws_cloudwatch_log_group" "main" {
  for_each = toset(local.logs)

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = 365
  kms_key_id        = var.key
}

resource "aws_cloudwatch_log_group" "reader" {
  for_each = toset([
    for pair in setproduct(range(var.settings.replicas), local.logs) : "${var.name}-reader-${pair[0] + 1}/${pair[1]}"
  ])

  name              = "/aws/rds/instance/${each.key}"
  retention_in_days = 365
  kms_key_id        = var.key
}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring_service.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

data "aws_iam_policy_document" "monitoring_service" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}
