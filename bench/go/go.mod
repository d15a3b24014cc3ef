module fanout

go 1.22
