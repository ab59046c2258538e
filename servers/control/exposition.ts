/** Which kind of figure: `counter` only rises. */
export type MetricKind = 'counter' | 'gauge' | 'histogram'

export type Labels = Readonly<Record<string, string>>

/**
 * Writes figures in the text format of Prometheus, version 0.0.4: the lines of a metric together, under one heading.
 */
export class Exposition {
  readonly #lines = new Map<string, string[]>()

  /**
   * @param name of the metric, in full
   * @param suffix of the sample, e.g. `_bucket`
   */
  add(name: string, kind: MetricKind, about: string, labels: Labels, value: number, suffix = ''): void {
    let lines = this.#lines.get(name)
    if (lines === undefined) {
      lines = [
        `# HELP ${name} ${about.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
        `# TYPE ${name} ${kind}`,
      ]
      this.#lines.set(name, lines)
    }
    lines.push(`${name}${suffix}${written(labels)} ${number(value)}`)
  }

  get text(): string {
    return `${[...this.#lines.values()].flat().join('\n')}\n`
  }
}

function written(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
