import { filter } from '../live/calls.js'

/** Picks among the calls. */
export function CallFilterBar() {
  const { text, toolsOnly, failedOnly } = filter.value
  return (
    <form class="filter" onSubmit={event => event.preventDefault()}>
      <input
        type="search"
        placeholder="caller, tool or server"
        aria-label="Show calls with this in their caller, tool or server"
        value={text}
        onInput={event => {
          filter.value = { ...filter.value, text: event.currentTarget.value }
        }}
      />
      <label>
        <input
          type="checkbox"
          checked={toolsOnly}
          onChange={event => {
            filter.value = { ...filter.value, toolsOnly: event.currentTarget.checked }
          }}
        />
        tools only
      </label>
      <label>
        <input
          type="checkbox"
          checked={failedOnly}
          onChange={event => {
            filter.value = { ...filter.value, failedOnly: event.currentTarget.checked }
          }}
        />
        failed only
      </label>
    </form>
  )
}
