import { state } from '../live/state.js'
import { Empty } from './empty.js'

/** What to do about an empty journal. */
export function NoCalls() {
  const safebot = state.value?.safebot?.mcpUrl
  const url = safebot ?? state.value?.instanode?.mcpUrl
  const tool = safebot ? 'create_room' : 'list_resources'
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}","arguments":{}}}`
  return (
    <Empty {...(url && { command: `curl -s ${url} -H 'Content-Type: application/json' \\\n  -d '${body}'` })}>
      No call has reached the servers yet. It is shown here as it comes, without a reload. Try one:
    </Empty>
  )
}
