# With your provider, and the role of the function.
resource "aws_sqs_queue" "dead" {
  name                      = "orders-dead"
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = 365 # 6 × timeout + maximum_batching_window_in_seconds
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 15
  })
}

data "archive_file" "code" {
  type        = "zip"
  source_file = "dist/handler.mjs"
  output_path = "dist/handler.zip"
}

resource "aws_lambda_function" "orders" {
  function_name    = "orders"
  filename         = data.archive_file.code.output_path
  source_code_hash = data.archive_file.code.output_base64sha256
  handler          = "handler.handler"
  runtime          = "nodejs24.x"
  memory_size      = 512 # 1,769 MB is one CPU
  timeout          = 60
  role             = aws_iam_role.orders.arn # with AWSLambdaSQSQueueExecutionRole
}

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn                   = aws_sqs_queue.orders.arn
  function_name                      = aws_lambda_function.orders.arn
  # Without it, Lambda deletes the messages that failed.
  function_response_types            = ["ReportBatchItemFailures"]
  batch_size                         = 100 # about as many as the handler's concurrency
  maximum_batching_window_in_seconds = 5 # at least 1 for more than 10 records
  scaling_config { maximum_concurrency = 10 } # invocations at a time
}
