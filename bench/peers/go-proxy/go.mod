module bulkhead/bench/go-proxy

go 1.24
