# Password guessing against vsftpd with hydra: 60 wrong passwords.

SEED=51

case_prepare() {
  prepare_guessing 60
  start_vsftpd
}

case_play() { play_guessing ftp://$APPS -t 4; }
