# man_pages TCPCP DIRECTORY VERSION DATE writes a man page for each command, from what it says with --help.
man_pages() {
    local tcpcp=$1 directory=$2 command section
    mkdir -p "$directory/man1" "$directory/man8"
    man_page "$@" "" 1 >"$directory/man1/tcpcp.1"
    # The commands stand below "Commands:", indented by two blanks.
    "$tcpcp" --help | sed -n '/^Commands:/,$s/^  \([a-z][a-z]*\).*/\1/p' | while read -r command; do
        section=1
        case $command in agent | relay) section=8 ;; esac
        man_page "$@" "$command" $section >"$directory/man$section/tcpcp-$command.$section"
    done
}

# One page: sections of the help become sections of the page; of each list the first column is a tag.
man_page() {
    local tcpcp=$1 version=$3 date=$4 command=$5 section=$6
    # What stands before the first blank line of the overview is the sentence of the command's NAME.
    { "$tcpcp" $command --help; } | awk -v command="$command" -v section="$section" -v version="$version" -v date="$date" '
        function roff(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); gsub(/\x27/, "\\(aq", text); if (text ~ /^[.]/) text = "\\\&" text; return text }
        function heading(name) { print ".SH " toupper(name); inList = name != "Description" && name != "Usage"; isUsage = name == "Usage"; blank = 0; code = 0 }
        BEGIN {
            name = command == "" ? "tcpcp" : "tcpcp-" command
            printf ".TH %s %s \"%s\" \"tcpcp %s\" \"tcpcp\"\n", toupper(roff(name)), section, date, version
        }
        /^(Description|Usage|Arguments|Options|Commands):$/ {
            sub(/:$/, "")
            if ($0 == "Description") { first = 1; next }
            heading($0); next
        }
        first && NF {
            line = $0; sub(/^ +/, "", line); sentence = line; sub(/[.:?;(].*/, "", sentence); sub(/ +$/, "", sentence)
            print ".SH NAME"; print roff(name) " \\- " roff(sentence)
            heading("Description"); print roff(line); first = 0; next
        }
        !NF { if (code) { print ".fi"; print ".RE"; code = 0 } if (!inList) blank = 1; next }
        isUsage { sub(/^ +/, ""); print ".B " roff($0); next }
        inList {
            # The overview gives whole descriptions of commands; here the first line is enough, for each has a page.
            if ($0 ~ /^  [^ ]/) {
                line = substr($0, 3); at = match(line, /  +/)
                tag = at ? substr(line, 1, at - 1) : line; rest = at ? substr(line, at + RLENGTH) : ""
                skip = 0
                print ".TP"; print ".B " roff(tag)
            } else if (skip) next
            else { rest = $0; sub(/^ +/, "", rest) }
            if (tag ~ /^[a-z]/ && match(rest, /[.:?]( |$)/)) { rest = substr(rest, 1, RSTART - 1) "."; skip = 1 }
            if (rest != "") print roff(rest)
            next
        }
        /^    / && !code { print blank ? ".PP" : ".br"; print ".RS 4"; print ".nf"; code = 1; blank = 0 }
        !/^    / && code { print ".fi"; print ".RE"; code = 0 }
        { if (blank) { print ".PP"; blank = 0 } sub(/^ +/, ""); if ($0 ~ /^(Exit codes|Examples?|Needs)/) print ".PP"; print roff($0) }
        END {
            if (code) { print ".fi"; print ".RE" }
            print ".SH SEE ALSO"; print ".BR tcpcp (1),"; print "/usr/share/doc/tcpcp"
        }'
}
