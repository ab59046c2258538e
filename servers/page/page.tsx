import { render } from 'preact'
import { App } from './app.js'
import { goLive } from './live/go-live.js'
import { showInvisible } from './parts/show-invisible.js'

showInvisible()
const root = document.getElementById('page')
if (root !== null) render(<App />, root)
goLive()
