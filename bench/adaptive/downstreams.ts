import type { Call, Clock, Downstream, Outcome } from './simulator.ts'

/** How long a call takes, in milliseconds. */
type Latency = (random: () => number) => number

/** Up to 20 % more or less than `ms`. */
export function about(ms: number): Latency {
  return (random) => ms * (0.8 + 0.4 * random())
}

export function logNormal(min: number, max: number, median: number, sigma: number): Latency {
  return (random) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return Math.min(max, Math.max(min, median * Math.exp(sigma * normal)))
  }
}

export function either(usual: number, rare: number, shareOfRare: number): Latency {
  return (random) => (random() < shareOfRare ? rare : usual)
}

/** Serves `capacity` calls at once. Other calls wait. `capacity` can be a function of the time. */
export function queueing(capacity: number | ((now: number) => number), latency: Latency): Downstream {
  return (clock, random) => {
    const queue: (() => void)[] = []
    let busy = 0
    function serve(settle: (outcome: Outcome) => void): void {
      busy++
      clock.after(latency(random), () => {
        busy--
        settle('ok')
        serveNext()
      })
    }
    function serveNext(): void {
      while (busy < capacityAt(capacity, clock)) {
        const next = queue.shift()
        if (!next) return
        next()
      }
    }
    return (settle) => {
      queue.push(() => serve(settle))
      serveNext()
    }
  }
}

/** Serves `capacity` calls at once. It refuses other calls with a 503 after `delay` ms. */
export function refusing(capacity: number | ((now: number) => number), latency: Latency, delay = 2): Downstream {
  return (clock, random) => {
    let busy = 0
    return (settle) => {
      if (busy >= capacityAt(capacity, clock)) return clock.after(delay, () => settle('overload'))
      busy++
      clock.after(latency(random), () => {
        busy--
        settle('ok')
      })
    }
  }
}

/**
 * A token bucket: it serves `rate` calls per second, and `burst` more at the start. It responds to other calls with a
 * 429.
 */
export function bucket(rate: number, burst: number, latency: Latency): Downstream {
  return (clock, random) => {
    let tokens = burst
    let filledAt = 0
    return (settle) => {
      tokens = Math.min(burst, tokens + ((clock.now - filledAt) * rate) / 1000)
      filledAt = clock.now
      if (tokens < 1) return clock.after(2, () => settle('throttle'))
      tokens--
      clock.after(latency(random), () => settle('ok'))
    }
  }
}

/** If more than `knee` calls run at once, each takes longer: by (number of calls ÷ `knee`) to the power of `power`. */
export function thrashing(knee: number, latency: Latency, power: number): Downstream {
  return (clock, random) => {
    let busy = 0
    return (settle) => {
      busy++
      const slowness = Math.max(1, busy / knee) ** power
      clock.after(latency(random) * slowness, () => {
        busy--
        settle('ok')
      })
    }
  }
}

/** Serves any number of calls. */
export function open(latency: Latency): Downstream {
  return (clock, random) => (settle) => clock.after(latency(random), () => settle('ok'))
}

/** After its call, each handler computes for `ms`. The function has one CPU, so one handler computes at a time. */
export function computing(ms: number, inner: Downstream): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    let freeAt = 0
    return (settle) =>
      call((outcome) => {
        freeAt = Math.max(clock.now, freeAt) + ms
        clock.after(freeAt - clock.now, () => settle(outcome))
      })
  }
}

/** The process can open `count` sockets. Further calls fail with EMFILE. */
export function withDescriptors(count: number, inner: Downstream): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    let used = 0
    return (settle) => {
      function end(outcome: Outcome) {
        used--
        settle(outcome)
      }
      if (++used > count) clock.after(0.2, () => end('throttle'))
      else call(end)
    }
  }
}

/** In every second block of `length` records, each record fails with an ordinary failure, after `ms`. */
export function failingBlocks(length: number, ms: number, inner: Downstream): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    let calls = 0
    return (settle) => {
      if (Math.floor(calls++ / length) % 2 === 1) clock.after(ms, () => settle('failure'))
      else call(settle)
    }
  }
}

/** Returns ordinary failures instead of a 503, as a server that does not report its overload. */
export function unclassified(inner: Downstream): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    return (settle) => call((outcome) => settle(outcome === 'ok' ? 'ok' : 'failure'))
  }
}

/** Every second block of `length` records needs no call: its records end after 1 ms. */
export function instantBlocks(length: number, inner: Downstream): Downstream {
  return instant((_random, calls) => Math.floor(calls / length) % 2 === 1, inner)
}

/** A share of the records needs no call. */
export function instantShare(share: number, inner: Downstream): Downstream {
  return instant((random) => random() < share, inner)
}

function instant(isInstant: (random: () => number, calls: number) => boolean, inner: Downstream): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    let calls = 0
    return (settle) => (isInstant(random, calls++) ? clock.after(1, () => settle('ok')) : call(settle))
  }
}

/** The client retries twice, after up to 100 and up to 200 ms, as an AWS SDK does. */
export function retrying(inner: Downstream): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    function attempt(number: number, settle: (outcome: Outcome) => void): void {
      call((outcome) => {
        if (outcome === 'ok' || number === 3) return settle(outcome)
        clock.after(random() * 50 * 2 ** number, () => attempt(number + 1, settle))
      })
    }
    return (settle) => attempt(1, settle)
  }
}

/** A share of the successful calls fails by chance, with a 503 if `failure` is `'overload'`. */
export function flaky(share: number, inner: Downstream, failure: Outcome = 'overload'): Downstream {
  return (clock, random) => {
    const call: Call = inner(clock, random)
    return (settle) => call((outcome) => settle(outcome === 'ok' && random() < share ? failure : outcome))
  }
}

function capacityAt(capacity: number | ((now: number) => number), clock: Clock): number {
  return typeof capacity === 'number' ? capacity : capacity(clock.now)
}

/** Serves `capacity` calls at once. Up to `places` other calls wait. It refuses the rest with a 503 after 1 ms. */
export function boundedQueue(capacity: number, places: number, latency: Latency): Downstream {
  return (clock, random) => {
    const call = queueing(capacity, latency)(clock, random)
    let present = 0
    return (settle) => {
      if (present >= capacity + places) return clock.after(1, () => settle('overload'))
      present++
      call((outcome) => {
        present--
        settle(outcome)
      })
    }
  }
}

/** Pareto-distributed: most calls take little longer than `min`, and a few take very long, up to `max`. */
export function pareto(min: number, max: number, shape: number): Latency {
  return (random) => Math.min(max, min / (1 - random()) ** (1 / shape))
}

/** Each call makes the others slower, like database locks. Each additional call adds less goodput than the last. */
export function contended(half: number, latency: Latency): Downstream {
  return (clock, random) => {
    let busy = 0
    return (settle) => {
      busy++
      clock.after(latency(random) * (1 + busy / half), () => {
        busy--
        settle('ok')
      })
    }
  }
}

/** Starts no call for `pause` ms every `period` ms, as a garbage collector or a failover does. */
export function pausing(period: number, pause: number, inner: Downstream): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    return (settle) => {
      const left = pause - (clock.now % period)
      if (left > 0) clock.after(left, () => call(settle))
      else call(settle)
    }
  }
}

/** While `isDown(now)` is true, each call fails after 1 ms. It fails with a 503 if `failure` is `'overload'`. */
export function failingWhile(
  isDown: (now: number) => boolean,
  inner: Downstream,
  failure: Outcome = 'overload',
): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    return (settle) => {
      if (isDown(clock.now)) clock.after(1, () => settle(failure))
      else call(settle)
    }
  }
}

/** If more than `capacity` calls run at once, they fail with a 503, and so do all calls of the next `pause` ms. */
export function crashing(capacity: number | ((now: number) => number), pause: number, latency: Latency): Downstream {
  return (clock, random) => {
    let busy = 0
    let downUntil = Number.NEGATIVE_INFINITY
    return (settle) => {
      if (clock.now < downUntil) return clock.after(1, () => settle('overload'))
      const startedAt = clock.now
      busy++
      if (busy > capacityAt(capacity, clock)) downUntil = startedAt + pause
      clock.after(latency(random), () => {
        busy--
        settle(downUntil > startedAt ? 'overload' : 'ok')
      })
    }
  }
}

/** A pool of `size` connections. Other calls wait for one. A call that has waited for `maxWait` ms fails as overload. */
export function pool(size: number, maxWait: number, latency: Latency): Downstream {
  return (clock, random) => {
    const waiting = new Set<(outcome: Outcome) => void>()
    let busy = 0
    function serveNext(): void {
      const [settle] = waiting
      if (!settle || busy >= size) return
      waiting.delete(settle)
      busy++
      clock.after(latency(random), () => {
        busy--
        settle('ok')
        serveNext()
      })
    }
    return (settle) => {
      waiting.add(settle)
      clock.after(maxWait, () => {
        if (waiting.delete(settle)) settle('overload')
      })
      serveNext()
    }
  }
}

/** Serves the first `count` calls of each second. It responds to the other calls of that second with a 429. */
export function fixedWindow(count: number, latency: Latency): Downstream {
  return (clock, random) => {
    let second = 0
    let calls = 0
    return (settle) => {
      const current = Math.floor(clock.now / 1000)
      if (current > second) calls = 0
      second = current
      if (++calls > count) clock.after(2, () => settle('throttle'))
      else clock.after(latency(random), () => settle('ok'))
    }
  }
}

/** Calls that begin in the first `length` ms of every `period` ms take twice as long, as during a garbage collection. */
export function slowing(
  period: number,
  length: number,
  latency: Latency,
  make: (latency: Latency) => Downstream,
): Downstream {
  return (clock, random) => make((each) => latency(each) * (clock.now % period < length ? 2 : 1))(clock, random)
}
