import { machineNow } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import type { ControlledServer, Gauge, Instance } from '../../shared/instance.js'
import { type Counts, DURATION_BOUNDS_MS } from '../../shared/journal/tally.js'
import type { Controlled } from './controlled.js'
import { storeGauges } from './readiness.js'

const PREFIX = 'understudy_'

/** Returns the metrics of the instance in the text format of Prometheus. */
export async function renderMetrics({
  instance,
  instanode,
  safebot,
  gateways,
}: Controlled<unknown>): Promise<string> {
  const figures = new MetricsText()
  addCalls(figures, instance)
  for (const { server, outcome, count } of gateways.record.counts) {
    figures.add({
      name: 'gateway_calls_total',
      kind: 'counter',
      about: 'Calls that a gateway has allowed or denied',
      labels: { server, outcome },
      value: count,
    })
  }
  const servers = [instanode, safebot].flatMap(server => server ?? [])
  for (const gauges of await Promise.all(servers.map(gaugesOf))) {
    for (const gauge of gauges) figures.add({ kind: 'gauge', ...gauge })
  }
  const ofStore = instance.store === undefined ? [] : await storeGauges(instance.store)
  for (const gauge of [...ofStore, ...instanceGauges(instance), ...processGauges()]) {
    figures.add({ kind: 'gauge', ...gauge })
  }
  figures.add({
    name: 'journal_dropped_total',
    kind: 'counter',
    about: 'Entries that the journal has dropped since it was last cleared',
    labels: {},
    value: instance.journal.dropped,
  })
  for (const { server, tool, method = '', hits } of instance.faults.list()) {
    figures.add({
      name: 'fault_hits',
      kind: 'gauge',
      about: 'Number of times that each fault was applied, for the faults that are set now',
      labels: { server, ...(tool === undefined ? { method } : { tool }) },
      value: hits,
    })
  }
  return figures.text
}

/**
 * Returns the gauges of a server. Returns none if the store does not answer. The gauge `store_available` is
 * then 0.
 */
async function gaugesOf(server: Pick<ControlledServer<unknown>, 'gauges'>): Promise<Gauge[]> {
  try {
    return await server.gauges()
  } catch (error) {
    if (error instanceof Refusal && error.code === 'store_unavailable') return []
    throw error
  }
}

function addCalls(figures: MetricsText, { tally }: Instance): void {
  for (const { server, tool, outcomes } of tally.all()) {
    for (const [outcome, count] of Object.entries(outcomes)) {
      figures.add({
        name: 'calls_total',
        kind: 'counter',
        about: 'Requests that have ended. The label tool is empty if a request names no tool',
        labels: { server, tool: tool ?? '', outcome },
        value: count,
      })
    }
  }
  for (const { server, protocol, outcomes } of tally.revisions()) {
    for (const [outcome, count] of Object.entries(outcomes)) {
      figures.add({
        name: 'requests_total',
        kind: 'counter',
        about:
          'Requests that have ended. The label protocol is empty for HTTP APIs, and if a request names no MCP revision',
        labels: { server, protocol: protocol ?? '', outcome },
        value: count,
      })
    }
  }
  for (const counts of tally.all()) addDurations(figures, counts)
}

function addDurations(figures: MetricsText, { server, tool, durations, totalMs }: Counts): void {
  const labels = { server, tool: tool ?? '' }
  const metric = {
    name: 'call_duration_seconds',
    kind: 'histogram',
    about: 'Durations of requests, in machine time',
  } as const
  let count = 0
  for (const [at, ended] of durations.entries()) {
    count += ended
    const bound = DURATION_BOUNDS_MS[at]
    const le = bound === undefined ? '+Inf' : String(bound / 1000)
    figures.add({ ...metric, labels: { ...labels, le }, value: count, suffix: '_bucket' })
  }
  figures.add({ ...metric, labels, value: totalMs / 1000, suffix: '_sum' })
  figures.add({ ...metric, labels, value: count, suffix: '_count' })
}

function instanceGauges({ name, clock, journal }: Instance): Gauge[] {
  const labels = {}
  return [
    {
      name: 'info',
      about: 'The name of the instance and the mode of its clock. The value is always 1',
      labels: { instance: name, clock: clock.mode },
      value: 1,
    },
    {
      name: 'clock_seconds',
      about: 'Time of the clock, in seconds since 1970',
      labels,
      value: clock.now() / 1000,
    },
    {
      name: 'clock_offset_seconds',
      about: 'Seconds by which the clock of the instance is ahead of machine time',
      labels,
      value: Math.round(clock.now() - machineNow()) / 1000,
    },
    { name: 'wakeups_pending', about: 'Pending wake-ups', labels, value: clock.pending },
    { name: 'journal_entries', about: 'Entries in the journal', labels, value: journal.size },
    {
      name: 'journal_bytes',
      about: 'Bytes of the request bodies in the journal',
      labels,
      value: journal.bytes,
    },
  ]
}

function processGauges(): Gauge[] {
  const { rss, heapUsed } = process.memoryUsage()
  return [
    { name: 'process_resident_bytes', about: 'Resident memory', labels: {}, value: rss },
    { name: 'process_heap_bytes', about: 'JavaScript heap in use', labels: {}, value: heapUsed },
  ]
}

/** One value of a metric, with the name and the description of the metric. */
interface Sample extends Gauge {
  /** The value of a `counter` only rises. */
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** A text that is added to the name of the metric, e.g. `_bucket`. */
  readonly suffix?: string
}

/**
 * Formats metrics in the text format of Prometheus, version 0.0.4. All samples of a metric follow its `HELP`
 * and `TYPE` lines.
 */
class MetricsText {
  readonly #lines = new Map<string, string[]>()

  add({ name, kind, about, labels, value, suffix = '' }: Sample): void {
    const metric = `${PREFIX}${name}`
    let lines = this.#lines.get(metric)
    if (lines === undefined) {
      lines = [
        `# HELP ${metric} ${about.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
        `# TYPE ${metric} ${kind}`,
      ]
      this.#lines.set(metric, lines)
    }
    lines.push(`${metric}${suffix}${formatLabels(labels)} ${formatNumber(value)}`)
  }

  get text(): string {
    return `${[...this.#lines.values()].flat().join('\n')}\n`
  }
}

function formatLabels(labels: Gauge['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
