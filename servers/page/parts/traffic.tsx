import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { OUTCOMES } from '../../../shared/journal/outcome.js'
import { maskSecrets } from '../../../shared/util/secrets.js'
import { every, machineNow } from '../browser-time.js'
import { calls } from '../live/calls.js'
import { type Rate, ratesOf, SECONDS } from '../model/rates.js'
import { countOfShown, MOST_SHOWN } from '../model/shown.js'
import { outcomeInWords } from '../model/words.js'
import { Section } from './elements.js'
import { Empty } from './empty.js'
import { Scrolled } from './scrolled.js'
import { Sparkline } from './sparkline.js'

const DRAW_MS = 500

const rates = signal<readonly Rate[]>([])
let drawing = false

/** How often each tool was called, second by second, and how that ended. */
export function Traffic() {
  useEffect(() => {
    if (drawing) return
    drawing = true
    every(DRAW_MS, () => {
      rates.value = ratesOf(calls.value, machineNow())
    })
  }, [])
  // What comes first is shown at once.
  const shown = rates.value.length > 0 ? rates.value : ratesOf(calls.value, machineNow())
  return (
    <Section id="traffic" title="Traffic" note={noteOn(shown.length)}>
      {shown.length === 0 ? (
        <Empty>Once calls have come, each tool has a line here: how often, and how they ended.</Empty>
      ) : (
        <Scrolled label="Calls a second, by tool">
          <ul>
            {shown.slice(0, MOST_SHOWN).map(rate => (
              <RateLine key={`${rate.server} ${rate.name}`} rate={rate} />
            ))}
          </ul>
        </Scrolled>
      )}
    </Section>
  )
}

function noteOn(lines: number): string {
  const what = `calls a second, the last ${SECONDS} s`
  return lines <= MOST_SHOWN ? what : `${what}; ${countOfShown(lines, 'line', 'the busiest')}`
}

function RateLine({ rate }: { rate: Rate }) {
  const { name, server, peak, totals } = rate
  return (
    <li class="rate">
      <span class="rate-name mono">
        {maskSecrets(name)}
        <span class="second dim">{server}</span>
      </span>
      <Sparkline rate={rate} label={peak === 0 ? 'none in the last minute' : `at most ${peak} a second`} />
      <span class="rate-peak num dim">{peak > 0 && `≤ ${peak.toLocaleString('en')}/s`}</span>
      <span class="rate-totals">
        {OUTCOMES.filter(outcome => totals[outcome] > 0).map(outcome => (
          <span key={outcome} class={`outcome outcome-${outcome}`}>
            <span class="num">{totals[outcome].toLocaleString('en')}</span> {outcomeInWords(outcome)}
          </span>
        ))}
      </span>
    </li>
  )
}
