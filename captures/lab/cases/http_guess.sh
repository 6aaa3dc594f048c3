# Password guessing against basic authentication of nginx with hydra: 150 wrong passwords.

SEED=61

case_prepare() {
  prepare_guessing 150
  start_web_login
}

case_play() { play_guessing http-get://$APPS/private/index.html -t 2 -W 0; }
