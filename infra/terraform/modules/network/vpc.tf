# The VPC and its subnets. There is no internet gateway and no NAT: nothing in here can reach the
# internet or be reached from it. People come by CloudFront and API Gateway, which invoke functions
# through Lambda's service and not through this network; AWS's services are reached by endpoints.tf.

resource "aws_vpc" "main" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # or names of endpoints would lead to public addresses

  tags = { Name = var.name }
}

# Functions, container, endpoints. A /20 each: every function at work takes addresses.
resource "aws_subnet" "private" {
  count = length(var.zones)

  vpc_id                  = aws_vpc.main.id
  availability_zone       = var.zones[count.index]
  cidr_block              = cidrsubnet(var.cidr, 4, count.index)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-private-${var.zones[count.index]}" }
}

# The database, in subnets of its own at the far end of the addresses, with no route but the VPC's.
resource "aws_subnet" "database" {
  count = length(var.zones)

  vpc_id                  = aws_vpc.main.id
  availability_zone       = var.zones[count.index]
  cidr_block              = cidrsubnet(var.cidr, 8, 240 + count.index)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-database-${var.zones[count.index]}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-private" }
}

resource "aws_route_table" "database" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-database" }
}

resource "aws_route_table_association" "private" {
  count = length(var.zones)

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

resource "aws_route_table_association" "database" {
  count = length(var.zones)

  subnet_id      = aws_subnet.database[count.index].id
  route_table_id = aws_route_table.database.id
}

# What is started without a security group gets this one, and with it nothing.
resource "aws_default_security_group" "nothing" {
  vpc_id = aws_vpc.main.id
}
