const { SqsBatchDoctor } = require('bounded-sqs-batch/cdk')
require('./app.cjs')(SqsBatchDoctor)
