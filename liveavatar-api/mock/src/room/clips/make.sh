#!/bin/sh
# Makes the clips of the avatar with ffmpeg and libvpx: a drawn face with a closed mouth, and one that talks.
#
# Each clip is a loop of 2 seconds that begins with its only key frame. `-auto-alt-ref 0` avoids invisible frames, and
# `-error-resilient` lets a decoder start at the key frame. Run it in this folder: sh make.sh
set -eu

# $1: file, $2: half the height of the mouth in pixels, an expression of the time T
clip() {
    head='lt(pow((X-160)/70,2)+pow((Y-120)/88,2),1)'
    eyes='lt(pow((abs(X-160)-28)/9,2)+pow((Y-98)/if(between(mod(T,2),1.6,1.74),2,9),2),1)'
    mouth="lt(pow((X-160)/27,2)+pow((Y-158)/($2),2),1)"
    ffmpeg -hide_banner -loglevel error -y -f lavfi -i 'color=c=black:s=320x240:r=15:d=2' \
        -vf "format=gbrp,geq=r='if($eyes+$mouth,40,if($head,236,38))':g='if($eyes+$mouth,24,if($head,198,84))':b='if($eyes+$mouth,36,if($head,170,124))',format=yuv420p" \
        -c:v libvpx -g 30 -keyint_min 30 -auto-alt-ref 0 -error-resilient 1 -b:v 90k -deadline best -an "$1"
}

clip idle.ivf '2'
clip talking.ivf '4+11*abs(sin(T*2*PI*2.5))'
