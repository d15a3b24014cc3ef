// The same batch in Go: one buffered channel limits the records in flight, and another one collects the failures.
//
//	fanout <concurrency> <records> <url>   prints the same as processes/http.ts
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

type record struct{ messageID, body string }

type failure struct {
	itemIdentifier string
	err            error
}

func process(records []record, concurrency int, handle func(record) error) []failure {
	slots := make(chan struct{}, concurrency)
	failed := make(chan failure, len(records))
	for _, r := range records {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			if err := handle(r); err != nil {
				failed <- failure{r.messageID, err}
			}
		}()
	}
	for range concurrency { // takes every slot, so the loop ends after the last record
		slots <- struct{}{}
	}
	close(failed)
	failures := []failure{}
	for f := range failed {
		failures = append(failures, f)
	}
	return failures
}

func batch(size int) []record {
	records := make([]record, size)
	for i := range records {
		body := fmt.Sprintf(`{"orderId":%d,"customer":"c-0815","items":[{"sku":"A-100","quantity":2}],"total":49.9}`, i)
		records[i] = record{fmt.Sprintf("00000000-0000-4000-8000-%012d", i), body}
	}
	return records
}

// A connection that decreases the number of open connections when it is closed.
type counted struct {
	net.Conn
	open *atomic.Int64
}

func (c counted) Close() error {
	c.open.Add(-1)
	return c.Conn.Close()
}

func overHTTP(concurrency, size int, url string) {
	var open, peak atomic.Int64
	dialer := net.Dialer{}
	client := http.Client{Transport: &http.Transport{
		MaxIdleConns:        concurrency,
		MaxIdleConnsPerHost: concurrency,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			for n, p := open.Add(1), peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
			}
			return counted{conn, &open}, nil
		},
	}}
	handle := func(r record) error {
		response, err := client.Post(url, "application/json", strings.NewReader(r.body))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			panic(response.Status)
		}
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	records := batch(size)
	before := usage()
	start := time.Now()
	failures := process(records, concurrency, handle)
	elapsed := time.Since(start)
	after := usage()
	codes := map[string]int{}
	for _, f := range failures {
		code := "none"
		if errno := syscall.Errno(0); errors.As(f.err, &errno) {
			code = errno.Error()
		}
		codes[code]++
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"ms":          float64(elapsed.Microseconds()) / 1e3,
		"failed":      len(failures),
		"codes":       codes,
		"cpuSeconds":  seconds(after.Utime) + seconds(after.Stime) - seconds(before.Utime) - seconds(before.Stime),
		"peakRssMb":   peakRssMb(after),
		"peakSockets": peak.Load(),
	})
}

func usage() (u syscall.Rusage) {
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return
}

// Maxrss is in bytes on macOS, in KiB elsewhere.
func peakRssMb(u syscall.Rusage) float64 {
	if runtime.GOOS == "darwin" {
		return float64(u.Maxrss) / (1 << 20)
	}
	return float64(u.Maxrss) / (1 << 10)
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func number(place int) int {
	n, err := strconv.Atoi(os.Args[place])
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	overHTTP(number(1), number(2), os.Args[3])
}
