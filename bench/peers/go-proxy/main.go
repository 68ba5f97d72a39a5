// A reverse proxy as one writes it with Go's standard library: net/http/httputil, HTTP/1.1 and
// cleartext HTTP/2 on both sides. A peer of the side-by-side benchmark.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"syscall"
)

// pool spares ReverseProxy a 32 KB buffer for each response.
type pool struct{ sync.Pool }

func (p *pool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *pool) Put(b []byte) { p.Pool.Put(&b) }

// shared lets several processes listen on the same port, and the kernel share connections out
// (SO_REUSEPORT, which package syscall has no name for on all architectures).
func shared(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, 15, 1)
	})
	return errors.Join(err, failed)
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: go-proxy LISTEN UPSTREAM http1|http2")
	}
	target, err := url.Parse("http://" + os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	var upstream, downstream http.Protocols
	downstream.SetHTTP1(true)
	downstream.SetUnencryptedHTTP2(true)
	if os.Args[3] == "http2" {
		upstream.SetUnencryptedHTTP2(true)
	} else {
		upstream.SetHTTP1(true)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			Protocols:           &upstream,
			MaxIdleConns:        1024,
			MaxIdleConnsPerHost: 1024,
			DisableCompression:  true,
		},
		BufferPool: &pool{sync.Pool{New: func() any { b := make([]byte, 32*1024); return &b }}},
	}
	server := &http.Server{Handler: proxy, Protocols: &downstream}
	listener, err := (&net.ListenConfig{Control: shared}).Listen(context.Background(), "tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(listener))
}
