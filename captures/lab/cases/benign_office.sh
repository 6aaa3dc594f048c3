# The control: five minutes of ordinary work by the same people in the same lab. Nothing may be raised.

case_prepare() {
  plug_workstations
  start_office
}

case_play() {
  switch_on
  work 21 anna 121 280
  work 22 ben 122 280
  work 23 kim 123 280
  work 33 dora 133 280
  at 100; mistype_then_log_on
  at 305
}
