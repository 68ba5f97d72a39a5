package toxiproxy_test

// In place of the server that Toxiproxy's tests start in their own process: the one under test.

import (
	"net"
	"testing"

	tclient "github.com/Shopify/toxiproxy/v2/client"
)

var client = tclient.NewClient("http://127.0.0.1:8475")

func WithServer(t *testing.T, f func(string)) {
	defer func() {
		proxies, err := client.Proxies()
		if err != nil {
			t.Fatal("list what a test has left:", err)
		}
		for _, proxy := range proxies {
			if err := proxy.Delete(); err != nil {
				t.Fatal("remove what a test has left:", err)
			}
		}
	}()
	f("http://localhost:8475")
}

func AssertProxyUp(t *testing.T, address string, up bool) net.Conn {
	connection, err := net.Dial("tcp", address)
	if (err == nil) != up {
		t.Errorf("%s: expected up to be %v: %v", address, up, err)
	}
	return connection
}
